package stream

// ReadRecordingOf is ReadRecording with a limit on the number of samples.
var ReadRecordingOf = readRecording
