// Nothing but the precompiled header that the modules with tensors share.
