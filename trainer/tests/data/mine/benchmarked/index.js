const loom = require('./loom');

function warp(threads) {
  return threads.map((thread) => loom.stretch(thread));
}

module.exports = { warp };
