"""A model of the coordination protocol, explored whole: what holds, and what each part is there for."""
