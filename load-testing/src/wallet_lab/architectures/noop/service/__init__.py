"""A target that answers like the wallet without doing its work: the upper limit for throughput."""
