"""The only room that knows ranks: who is where, what a rank owns, what it must ask of its neighbours."""
