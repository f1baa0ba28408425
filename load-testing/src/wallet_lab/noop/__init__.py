"""A target that answers as the wallet does and does none of its work: the ceiling that throughput is compared with."""
