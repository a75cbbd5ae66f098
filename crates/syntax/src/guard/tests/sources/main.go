package main

import (
	"encoding/json"
	"log"
	"net/http"
	"strconv"

	"example.org/shop/cart"
)

type server struct {
	carts map[string]*cart.Cart
}

func (s *server) cartOf(owner string) *cart.Cart {
	found, ok := s.carts[owner]
	if !ok {
		found = cart.Open(owner, 10)
		s.carts[owner] = found
	}
	return found
}

func (s *server) add(w http.ResponseWriter, r *http.Request) {
	amount, err := strconv.Atoi(r.FormValue("amount"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	line := cart.Line{Code: r.FormValue("code"), Amount: amount}
	if err := s.cartOf(r.FormValue("owner")).Add(line); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	json.NewEncoder(w).Encode(map[string]int{"amount": amount})
}

func Serve(address string) {
	s := &server{carts: map[string]*cart.Cart{}}
	http.HandleFunc("/add", s.add)
	log.Fatal(http.ListenAndServe(address, nil))
}
