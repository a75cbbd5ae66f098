package server

import (
	"encoding/json"
	"net/http"

	"example.org/lighthouse/lamp"
	"github.com/gorilla/mux"
)

// Beam turns the lamp over HTTP.
type Beam struct {
	lamp   *lamp.Lamp
	router *mux.Router
}

// NewBeam registers the routes of a lamp.
func NewBeam(light *lamp.Lamp) *Beam {
	beam := &Beam{lamp: light, router: mux.NewRouter()}
	beam.router.HandleFunc("/angle", beam.showAngle).Methods(http.MethodGet)
	beam.router.HandleFunc("/angle/{degrees}", beam.setAngle).Methods(http.MethodPut)
	return beam
}

func (b *Beam) showAngle(writer http.ResponseWriter, request *http.Request) {
	reply := map[string]int{"degrees": b.lamp.Angle()}
	if err := json.NewEncoder(writer).Encode(reply); err != nil {
		http.Error(writer, err.Error(), http.StatusInternalServerError)
	}
}

func (b *Beam) setAngle(writer http.ResponseWriter, request *http.Request) {
	degrees, err := parseDegrees(mux.Vars(request)["degrees"])
	if err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
		return
	}
	if err := b.lamp.Turn(degrees); err != nil {
		http.Error(writer, err.Error(), http.StatusConflict)
		return
	}
	b.showAngle(writer, request)
}
