"""What becomes of messages on their way to InfluxDB, without a database."""
