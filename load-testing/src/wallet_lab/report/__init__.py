"""The findings of a comparison, and the page that shows them."""
