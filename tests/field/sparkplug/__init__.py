"""The Sparkplug uplink against a real broker, with a host application that checks what it does."""
