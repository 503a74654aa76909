"""What runs in an optimisation job: assess, convert, quantise, pack."""
