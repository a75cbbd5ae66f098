using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Home.Climate;

/// <summary>What a sensor measured at a moment.</summary>
public sealed record Reading(string Room, double Celsius, DateTimeOffset At);

/// <summary>When a room should be how warm.</summary>
public sealed record Period(TimeOnly From, TimeOnly To, double Target)
{
    public bool Contains(TimeOnly time) =>
        From <= To ? time >= From && time < To : time >= From || time < To;
}

public interface IHeater
{
    bool IsOn { get; }

    Task SwitchAsync(bool on, CancellationToken cancellation);
}

/// <summary>Keeps a room within half a degree of its target.</summary>
public sealed class ThermostatService
{
    private const double Hysteresis = 0.5;

    private readonly string _room;
    private readonly IHeater _heater;
    private readonly TimeProvider _clock;
    private readonly List<Period> _schedule = new();
    private readonly Queue<Reading> _recent = new();

    public ThermostatService(string room, IHeater heater, TimeProvider clock)
    {
        _room = room ?? throw new ArgumentNullException(nameof(room));
        _heater = heater ?? throw new ArgumentNullException(nameof(heater));
        _clock = clock;
    }

    /// <summary>The target where no period of the schedule applies.</summary>
    public double Fallback { get; set; } = 17.0;

    public int WindowSize { get; init; } = 5;

    public void AddPeriod(Period period)
    {
        if (_schedule.Any(existing => existing.Contains(period.From)))
        {
            throw new InvalidOperationException($"There is a period at {period.From} already.");
        }

        _schedule.Add(period);
        _schedule.Sort((left, right) => left.From.CompareTo(right.From));
    }

    public double CurrentTarget()
    {
        var time = TimeOnly.FromDateTime(_clock.GetLocalNow().DateTime);
        var period = _schedule.FirstOrDefault(candidate => candidate.Contains(time));
        return period?.Target ?? Fallback;
    }

    /// <summary>The mean of the last readings, which a draught does not move at once.</summary>
    public double? Smoothed()
    {
        if (_recent.Count == 0)
        {
            return null;
        }

        return _recent.Average(reading => reading.Celsius);
    }

    public async Task HandleAsync(Reading reading, CancellationToken cancellation)
    {
        if (reading.Room != _room)
        {
            return;
        }

        _recent.Enqueue(reading);
        while (_recent.Count > WindowSize)
        {
            _recent.Dequeue();
        }

        // Between the two thresholds the heater stays as it is.
        var wanted = Decide(Smoothed() ?? reading.Celsius, CurrentTarget());
        if (wanted is bool on && on != _heater.IsOn)
        {
            await _heater.SwitchAsync(on, cancellation);
        }
    }

    private static bool? Decide(double celsius, double target)
    {
        if (celsius < target - Hysteresis)
        {
            return true;
        }

        if (celsius > target + Hysteresis)
        {
            return false;
        }

        return null;
    }
}
