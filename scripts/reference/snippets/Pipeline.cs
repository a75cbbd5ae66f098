using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading;
using System.Threading.Channels;
using System.Threading.Tasks;

namespace Example.Telemetry;

public sealed record Reading(Guid Sensor, DateTimeOffset At, double Celsius)
{
    public double Fahrenheit => Celsius * 9 / 5 + 32;

    public static bool TryParse(ReadOnlySpan<char> line, out Reading? reading)
    {
        reading = null;
        var comma = line.IndexOf(',');
        if (comma < 0 || !Guid.TryParse(line[..comma], out var sensor))
        {
            return false;
        }

        if (double.TryParse(line[(comma + 1)..], out var celsius) is false)
            return false;

        reading = new Reading(sensor, DateTimeOffset.UtcNow, celsius);
        return true;
    }
}

public interface ISink<in T> : IAsyncDisposable
{
    ValueTask WriteAsync(T value, CancellationToken token = default);
}

public class Pipeline<TState> where TState : struct
{
    private readonly Channel<Reading> _channel = Channel.CreateBounded<Reading>(
        new BoundedChannelOptions(capacity: 1_024) { FullMode = BoundedChannelFullMode.DropOldest });

    private readonly ConcurrentDictionary<Guid, (double Sum, int Count)> _means = new();

    public event EventHandler<Reading>? Received;

    public async Task PumpAsync(TextReader input, CancellationToken token)
    {
        while (await input.ReadLineAsync(token).ConfigureAwait(false) is { } line)
        {
            if (!Reading.TryParse(line, out var reading) || reading is null)
            {
                Console.Error.WriteLine($"skipped: {line,-20} ({line.Length} chars)");
                continue;
            }

            Received?.Invoke(this, reading);
            await _channel.Writer.WriteAsync(reading, token);
            _means.AddOrUpdate(reading.Sensor, (reading.Celsius, 1),
                (_, old) => (old.Sum + reading.Celsius, old.Count + 1));
        }

        _channel.Writer.TryComplete();
    }

    public IEnumerable<(Guid Sensor, double Mean)> Means() =>
        from pair in _means
        where pair.Value.Count > 0
        orderby pair.Value.Sum / pair.Value.Count descending
        select (pair.Key, pair.Value.Sum / pair.Value.Count);

    public string ToJson() => JsonSerializer.Serialize(
        Means().ToDictionary(m => m.Sensor.ToString("N"), m => Math.Round(m.Mean, 3)),
        new JsonSerializerOptions { WriteIndented = true });
}
