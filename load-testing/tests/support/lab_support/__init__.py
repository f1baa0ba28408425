"""Code that the lab's tests share."""
