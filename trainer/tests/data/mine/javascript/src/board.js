const express = require('express');
const { DateTime } = require('luxon');
const { readDepartures, mergeDelays } = require('./departures');

const REFRESH_SECONDS = 30;

class Board {
  constructor(harbour, clock = DateTime) {
    this.harbour = harbour;
    this.clock = clock;
    this.rows = [];
  }

  async refresh(source) {
    const departures = await readDepartures(source, this.harbour);
    const now = DateTime.now().setZone('Europe/Oslo');
    this.rows = mergeDelays(departures, now).filter((row) => row.leaves > now);
    return this.rows.length;
  }

  nextDeparture() {
    const [first] = this.rows;
    if (!first) {
      return null;
    }
    return { ...first, leavesIn: first.leaves.diffNow('minutes').minutes };
  }

  toJson() {
    return this.rows.map((row) => ({
      line: row.line,
      leaves: row.leaves.toISO(),
      delayed: row.delay > REFRESH_SECONDS,
    }));
  }
}

function createServer(board, source) {
  const app = express();
  app.get('/departures', async (request, response) => {
    await board.refresh(source);
    response.json(board.toJson());
  });
  app.get('/next', (request, response) => {
    const departure = board.nextDeparture();
    if (departure === null) {
      response.status(404).end();
      return;
    }
    response.json(departure);
  });
  return app;
}

module.exports = { Board, createServer };
