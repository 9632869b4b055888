"""What is on offer, and whether it is fit for clinical use."""
