"""What clients see while parts of a stack restart or are slow; with stacks of its own."""
