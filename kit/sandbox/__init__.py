"""An OpenAI-compatible gateway without a language model: a search engine that says so."""
