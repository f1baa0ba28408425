"""What the lab's tests share."""
