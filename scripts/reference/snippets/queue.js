'use strict';

const { EventEmitter, once } = require('node:events');
const { setTimeout: sleep } = require('node:timers/promises');

const DEFAULTS = Object.freeze({ concurrency: 4, retries: 3, backoffMs: 250 });

/** Runs tasks with bounded concurrency and exponential back-off. */
class TaskQueue extends EventEmitter {
  #pending = [];
  #running = 0;

  constructor(options = {}) {
    super();
    this.options = { ...DEFAULTS, ...options };
    if (!Number.isInteger(this.options.concurrency) || this.options.concurrency < 1) {
      throw new RangeError(`concurrency must be a positive integer, got ${this.options.concurrency}`);
    }
  }

  push(task, { priority = 0, signal } = {}) {
    return new Promise((resolve, reject) => {
      this.#pending.push({ task, priority, signal, resolve, reject });
      this.#pending.sort((a, b) => b.priority - a.priority);
      queueMicrotask(() => this.#drain());
    });
  }

  async #attempt(job, attempt = 0) {
    job.signal?.throwIfAborted();
    try {
      return await job.task({ attempt, signal: job.signal });
    } catch (error) {
      if (attempt >= this.options.retries || error?.name === 'AbortError') throw error;
      const delay = this.options.backoffMs * 2 ** attempt + Math.random() * 50;
      this.emit('retry', { error, attempt, delay });
      await sleep(delay, undefined, { signal: job.signal });
      return this.#attempt(job, attempt + 1);
    }
  }

  #drain() {
    while (this.#running < this.options.concurrency && this.#pending.length > 0) {
      const job = this.#pending.shift();
      this.#running += 1;
      this.#attempt(job)
        .then(job.resolve, job.reject)
        .finally(() => {
          this.#running -= 1;
          this.#running === 0 && this.#pending.length === 0 ? this.emit('idle') : this.#drain();
        });
    }
  }

  async idle() {
    if (this.#running || this.#pending.length) await once(this, 'idle');
  }
}

const slugify = (title) =>
  title
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/[^a-z0-9]+/gi, '-')
    .toLowerCase();

module.exports = { TaskQueue, slugify };
