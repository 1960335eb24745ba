"""Who wakes a runner. The row's due time is the truth; waking is only a hint that a row is due."""
