"""What a unit computes from its pre-activation."""
