package cinema.booking;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The seats of one hall for one showing, and who has reserved them. */
public final class SeatMap {
    /** A seat by its row and its number in the row, both counted from zero. */
    public record Seat(int row, int number) {
        @Override
        public String toString() {
            return (char) ('A' + row) + Integer.toString(number + 1);
        }
    }

    /** Thrown where a seat that somebody wants is not free. */
    public static final class SeatTakenException extends RuntimeException {
        public SeatTakenException(Seat seat) {
            super("seat " + seat + " is taken");
        }
    }

    private final int rows;
    private final int seatsPerRow;
    private final Map<Seat, String> reservations = new HashMap<>();

    public SeatMap(int rows, int seatsPerRow) {
        if (rows < 1 || seatsPerRow < 1) {
            throw new IllegalArgumentException("a hall has at least one seat");
        }
        this.rows = rows;
        this.seatsPerRow = seatsPerRow;
    }

    public int capacity() {
        return rows * seatsPerRow;
    }

    public int available() {
        return capacity() - reservations.size();
    }

    public boolean isFree(Seat seat) {
        requireInside(seat);
        return !reservations.containsKey(seat);
    }

    public Optional<String> guestAt(Seat seat) {
        requireInside(seat);
        return Optional.ofNullable(reservations.get(seat));
    }

    /** Reserves all of the seats or none of them. */
    public void reserve(String guest, List<Seat> seats) {
        for (Seat seat : seats) {
            if (!isFree(seat)) {
                throw new SeatTakenException(seat);
            }
        }
        for (Seat seat : seats) {
            reservations.put(seat, guest);
        }
    }

    public int cancel(String guest) {
        int before = reservations.size();
        reservations.values().removeIf(guest::equals);
        return before - reservations.size();
    }

    /** The best neighbouring seats for a party: the row in the middle first, then outwards. */
    public List<Seat> findTogether(int party) {
        for (int row : rowsFromTheMiddle()) {
            List<Seat> found = findInRow(row, party);
            if (!found.isEmpty()) {
                return found;
            }
        }
        return Collections.emptyList();
    }

    private List<Seat> findInRow(int row, int party) {
        List<Seat> run = new ArrayList<>();
        for (int number = 0; number < seatsPerRow; number++) {
            Seat seat = new Seat(row, number);
            // A taken seat ends the run of free ones.
            if (isFree(seat)) {
                run.add(seat);
            } else {
                run.clear();
            }
            if (run.size() == party) {
                return run;
            }
        }
        return Collections.emptyList();
    }

    private List<Integer> rowsFromTheMiddle() {
        List<Integer> order = new ArrayList<>();
        int middle = rows / 2;
        for (int distance = 0; distance < rows; distance++) {
            if (middle - distance >= 0) {
                order.add(middle - distance);
            }
            if (distance > 0 && middle + distance < rows) {
                order.add(middle + distance);
            }
        }
        return order;
    }

    private void requireInside(Seat seat) {
        if (seat.row() < 0 || seat.row() >= rows || seat.number() < 0 || seat.number() >= seatsPerRow) {
            throw new IndexOutOfBoundsException("the hall has no seat " + seat);
        }
    }
}
