package admin

import (
	"errors"

	"github.com/relaybox/relaybox/azure/probe"
)

// errNoEntity: the SDK's nil answer.
var errNoEntity = errors.New("there is no entity of that name")

// judgeEntity is probe.Judge, for the SDK's habit of answering nil, nil for what is missing.
func judgeEntity(err error) error {
	if err == nil {
		return &probe.Error{Verdict: probe.Missing, Err: errNoEntity}
	}
	return probe.Judge(err)
}

func faulty(err error) error {
	if err == nil {
		return nil
	}
	return &probe.Error{Verdict: probe.Faulty, Err: err}
}
