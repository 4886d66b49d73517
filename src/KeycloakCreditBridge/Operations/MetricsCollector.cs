using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;

namespace KeycloakCreditBridge.Operations;

// Written here because no exporter of OpenTelemetry or Prometheus can be restored from the package source of this project.

/// <summary>Keeps the newest value of every series of this host's bridge meter.</summary>
internal sealed class MetricsCollector : IHostedService, IDisposable
{
    /// <summary>Upper bounds of histogram buckets, made for seconds: from a millisecond to an hour.</summary>
    public static readonly IReadOnlyList<double> Bounds =
        [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600];

    private readonly ConcurrentDictionary<(Instrument Instrument, string Labels), Series> series = new();
    private readonly MeterListener listener = new();
    private readonly Lock observing = new();

    public MetricsCollector(IMeterFactory meters)
    {
        listener.InstrumentPublished = (instrument, self) =>
        {
            // Another host of the same process has a meter of the same name, made by another factory.
            if (instrument.Meter.Name == BridgeMeter.Name && ReferenceEquals(instrument.Meter.Scope, meters))
                self.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Record(instrument, value, tags));
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Record(instrument, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Record(instrument, value, tags));
        listener.Start();
    }

    // A hosted service only so that it listens before any of the others measures.
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Asks the observable instruments and returns every series, those of one instrument together.</summary>
    public IReadOnlyList<SeriesSnapshot> Collect()
    {
        lock (observing)
        {
            foreach (var key in series.Keys.Where(key => key.Instrument.IsObservable))
                series.TryRemove(key, out _);
            listener.RecordObservableInstruments();
            return [.. series
                .Select(entry => entry.Value.Snapshot(entry.Key.Instrument, entry.Key.Labels))
                .OrderBy(item => item.Instrument.Name, StringComparer.Ordinal)
                .ThenBy(item => item.Labels, StringComparer.Ordinal)];
        }
    }

    public void Dispose() => listener.Dispose();

    private void Record(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
        series.GetOrAdd((instrument, PrometheusText.Labels(tags)), static _ => new Series()).Record(instrument, value);

    private sealed class Series
    {
        private readonly Lock gate = new();
        private readonly long[] buckets = new long[Bounds.Count];
        private double value;
        private long count;

        public void Record(Instrument instrument, double measured)
        {
            var adds = instrument.GetType().Name is { } type
                && (type.StartsWith("Counter", StringComparison.Ordinal) || type.StartsWith("UpDown", StringComparison.Ordinal)
                    || type.StartsWith("Histogram", StringComparison.Ordinal));
            lock (gate)
            {
                value = adds ? value + measured : measured;
                count++;
                for (var index = 0; index < buckets.Length; index++)
                    buckets[index] += measured <= Bounds[index] ? 1 : 0;
            }
        }

        public SeriesSnapshot Snapshot(Instrument instrument, string labels)
        {
            lock (gate)
                return new SeriesSnapshot(instrument, labels, value, count, [.. buckets]);
        }
    }
}

/// <summary>One series at one moment.</summary>
/// <param name="Labels">In Prometheus's text, without braces.</param>
/// <param name="Value">Total of a counter, sum of a histogram, newest value of a gauge.</param>
/// <param name="Count">How many values were measured.</param>
/// <param name="Buckets">How many of them were not above each of <see cref="MetricsCollector.Bounds"/>.</param>
internal sealed record SeriesSnapshot(Instrument Instrument, string Labels, double Value, long Count, IReadOnlyList<long> Buckets);
