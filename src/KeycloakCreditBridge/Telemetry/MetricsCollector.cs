using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace KeycloakCreditBridge.Telemetry;

/// <summary>Keeps the newest value of every series of this host's bridge meter.</summary>
internal sealed class MetricsCollector : IHostedService, IDisposable
{
    /// <summary>Upper bounds of histogram buckets, made for seconds: from a millisecond to an hour.</summary>
    public static readonly IReadOnlyList<double> Bounds =
        [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600];

    private readonly ConcurrentDictionary<(Instrument Instrument, string Labels), Series> _series = new();
    private readonly MeterListener _listener = new();
    private readonly Lock _observing = new();

    public MetricsCollector(IMeterFactory meters)
    {
        _listener.InstrumentPublished = (instrument, self) =>
        {
            // Another host of the same process has a meter of the same name, made by another factory.
            if (instrument.Meter.Name == BridgeMeter.Name && ReferenceEquals(instrument.Meter.Scope, meters))
                self.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Record(instrument, value, tags));
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Record(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Record(instrument, value, tags));
        _listener.Start();
    }

    // A hosted service only so that it listens before any other one measures.
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Asks the observable instruments and returns every series, those of one instrument together.</summary>
    public IReadOnlyList<SeriesSnapshot> Collect()
    {
        lock (_observing)
        {
            foreach (var key in _series.Keys.Where(key => key.Instrument.IsObservable))
                _series.TryRemove(key, out _);
            _listener.RecordObservableInstruments();
            return [.. _series
                .Select(entry => entry.Value.Snapshot(entry.Key.Labels))
                .OrderBy(item => item.Instrument.Name, StringComparer.Ordinal)
                .ThenBy(item => item.Labels, StringComparer.Ordinal)];
        }
    }

    public void Dispose() => _listener.Dispose();

    /// <summary>Whether an instrument is of one of these generic types.</summary>
    public static bool IsAnyOf(Instrument instrument, params ReadOnlySpan<Type> types) =>
        types.Contains(instrument.GetType().GetGenericTypeDefinition());

    private void Record(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
        _series.GetOrAdd((instrument, PrometheusText.Labels(tags)), static key => new Series(key.Instrument)).Record(value);

    private sealed class Series(Instrument instrument)
    {
        private readonly Lock _gate = new();
        private readonly bool _adds = IsAnyOf(instrument, typeof(Counter<>), typeof(UpDownCounter<>), typeof(Histogram<>));
        private readonly long[] _buckets = new long[Bounds.Count];
        private double _value;
        private long _count;

        public void Record(double measured)
        {
            lock (_gate)
            {
                _value = _adds ? _value + measured : measured;
                _count++;
                for (var index = 0; index < _buckets.Length; index++)
                    _buckets[index] += measured <= Bounds[index] ? 1 : 0;
            }
        }

        public SeriesSnapshot Snapshot(string labels)
        {
            lock (_gate)
                return new SeriesSnapshot(instrument, labels, _value, _count, [.. _buckets]);
        }
    }
}

/// <summary>One series at one moment.</summary>
/// <param name="Labels">In Prometheus's text, without braces.</param>
/// <param name="Value">Total of a counter, sum of a histogram, newest value of a gauge.</param>
/// <param name="Count">How many values were measured.</param>
/// <param name="Buckets">How many of them were not above each of <see cref="MetricsCollector.Bounds"/>.</param>
internal sealed record SeriesSnapshot(Instrument Instrument, string Labels, double Value, long Count, IReadOnlyList<long> Buckets);
