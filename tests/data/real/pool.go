// Package pool runs jobs on a bounded number of goroutines and retries the ones that fail.
package pool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrClosed is returned when a job is submitted to a pool that was closed.
var ErrClosed = errors.New("pool: closed")

// Job is a piece of work. A job that returns an error may be run again.
type Job struct {
	Name string
	Run  func(ctx context.Context) error
}

// Result tells how a job ended.
type Result struct {
	Name     string
	Attempts int
	Took     time.Duration
	Err      error
}

// Options configure a Pool.
type Options struct {
	Workers  int
	Attempts int
	Backoff  time.Duration
}

// Pool runs jobs until it is closed.
type Pool struct {
	options Options
	jobs    chan Job
	results chan Result
	wait    sync.WaitGroup

	mu     sync.Mutex
	closed bool
}

// New starts a pool. Results must be read, or the workers stop.
func New(ctx context.Context, options Options) *Pool {
	if options.Workers < 1 {
		options.Workers = 1
	}
	if options.Attempts < 1 {
		options.Attempts = 1
	}
	p := &Pool{
		options: options,
		jobs:    make(chan Job),
		results: make(chan Result, options.Workers),
	}
	p.wait.Add(options.Workers)
	for i := 0; i < options.Workers; i++ {
		go p.work(ctx)
	}
	go func() {
		p.wait.Wait()
		close(p.results)
	}()
	return p
}

// Results is closed after the last job has ended.
func (p *Pool) Results() <-chan Result {
	return p.results
}

// Submit hands a job to the next free worker.
func (p *Pool) Submit(ctx context.Context, job Job) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	select {
	case p.jobs <- job:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close lets the workers finish what they have. It may be called more than once.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		close(p.jobs)
	}
}

func (p *Pool) work(ctx context.Context) {
	defer p.wait.Done()
	for job := range p.jobs {
		p.results <- p.run(ctx, job)
	}
}

func (p *Pool) run(ctx context.Context, job Job) Result {
	result := Result{Name: job.Name}
	start := time.Now()
	for result.Attempts < p.options.Attempts {
		result.Attempts++
		result.Err = protect(ctx, job)
		if result.Err == nil || ctx.Err() != nil {
			break
		}
		// Each attempt waits twice as long as the one before.
		pause := p.options.Backoff << (result.Attempts - 1)
		if err := sleep(ctx, pause); err != nil {
			break
		}
	}
	result.Took = time.Since(start)
	return result
}

// protect turns a panic of the job into an error.
func protect(ctx context.Context, job Job) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("job %s panicked: %v", job.Name, cause)
		}
	}()
	return job.Run(ctx)
}

func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
