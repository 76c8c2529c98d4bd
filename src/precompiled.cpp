// Nothing but what a target of precompiled headers has to compile.
