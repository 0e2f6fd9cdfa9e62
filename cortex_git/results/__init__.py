"""Many results made into one."""
