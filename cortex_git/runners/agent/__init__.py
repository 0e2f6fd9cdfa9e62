"""An agent: a model with tools, at work in one folder within one attempt's tokens and time.

Owns the conversation, whatever the provider. What the model may touch is `confinement`'s to say.
"""
