"""Object to message: send, effect, throttle, circuit breaker, retry."""
