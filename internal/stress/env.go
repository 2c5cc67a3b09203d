package stress

// Env is what a measurement works with during one repetition.
type Env struct{}
