"""The notebook's side: magics, what they show, what they remember.

The only room that imports IPython, and the only one that displays. A magic reads its line
(`arguments`, `splitting`), fills the prompt (`interpolate`), asks (`asking`), shows (`render`,
`screens`) and remembers (`session`).
"""
