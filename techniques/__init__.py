"""The techniques that made deep networks trainable, one module each."""
