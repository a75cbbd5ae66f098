'use strict';

const DAY = 24 * 60 * 60 * 1000;
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

/** An event of a calendar, once or again and again. */
class CalendarEvent {
  constructor({ title, start, minutes = 60, repeat = null }) {
    if (!title) {
      throw new Error('an event needs a title');
    }
    this.title = title;
    this.start = new Date(start);
    this.minutes = minutes;
    this.repeat = repeat;
  }

  get end() {
    return new Date(this.start.getTime() + this.minutes * 60 * 1000);
  }

  overlaps(other) {
    return this.start < other.end && other.start < this.end;
  }

  /** The same event on another day. */
  movedTo(start) {
    return new CalendarEvent({ title: this.title, start, minutes: this.minutes });
  }
}

function startOfDay(date) {
  const day = new Date(date);
  day.setUTCHours(0, 0, 0, 0);
  return day;
}

function addDays(date, days) {
  return new Date(date.getTime() + days * DAY);
}

/** All occurrences of an event that begin within [from, to). */
function* occurrences(event, from, to) {
  if (!event.repeat) {
    if (event.start >= from && event.start < to) {
      yield event;
    }
    return;
  }
  const { every = 1, on = null, until = null, except = [] } = event.repeat;
  const skipped = new Set(except.map((date) => startOfDay(date).getTime()));
  let day = event.start;
  while (day < to && (until === null || day <= new Date(until))) {
    const wanted = on === null || on.includes(WEEKDAYS[day.getUTCDay()]);
    if (day >= from && wanted && !skipped.has(startOfDay(day).getTime())) {
      yield event.movedTo(day);
    }
    day = addDays(day, on === null ? every : 1);
  }
}

class Calendar {
  #events = [];

  add(options) {
    const event = new CalendarEvent(options);
    this.#events.push(event);
    return event;
  }

  remove(event) {
    const index = this.#events.indexOf(event);
    if (index === -1) {
      return false;
    }
    this.#events.splice(index, 1);
    return true;
  }

  between(from, to) {
    const found = this.#events.flatMap((event) => [...occurrences(event, from, to)]);
    return found.sort((a, b) => a.start - b.start);
  }

  week(date) {
    const day = startOfDay(date);
    const monday = addDays(day, -((day.getUTCDay() + 6) % 7));
    return this.between(monday, addDays(monday, 7));
  }

  /** Pairs of events that take place at the same time. */
  conflicts(from, to) {
    const events = this.between(from, to);
    const pairs = [];
    for (let i = 0; i < events.length; i += 1) {
      // Events are sorted, so the first that does not overlap ends the search.
      for (let j = i + 1; j < events.length && events[i].overlaps(events[j]); j += 1) {
        pairs.push([events[i], events[j]]);
      }
    }
    return pairs;
  }

  /** The first gap of so many minutes, or null. */
  firstGap(from, to, minutes) {
    let free = from;
    for (const event of this.between(from, to)) {
      if (event.start - free >= minutes * 60 * 1000) {
        return free;
      }
      if (event.end > free) {
        free = event.end;
      }
    }
    return to - free >= minutes * 60 * 1000 ? free : null;
  }
}

module.exports = { Calendar, CalendarEvent, occurrences, startOfDay };
