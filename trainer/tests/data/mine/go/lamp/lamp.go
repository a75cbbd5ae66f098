package lamp

import (
	"errors"
	"sync"
)

// ErrBroken says that the bulb is gone.
var ErrBroken = errors.New("the bulb is broken")

// Lamp is a light that turns.
type Lamp struct {
	mutex   sync.Mutex
	degrees int
	broken  bool
}

// Angle is where the lamp points.
func (l *Lamp) Angle() int {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.degrees
}

// Turn points the lamp elsewhere.
func (l *Lamp) Turn(degrees int) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.broken {
		return ErrBroken
	}
	l.degrees = normalise(degrees)
	return nil
}

func normalise(degrees int) int {
	turned := degrees % 360
	if turned < 0 {
		turned += 360
	}
	return turned
}
