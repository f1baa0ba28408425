"""Starting the parts of a stack, watching over them and stopping them."""
