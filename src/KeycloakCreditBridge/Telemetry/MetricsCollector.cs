using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Configuration.Reload;

namespace KeycloakCreditBridge.Telemetry;

/// <summary>
/// Keeps the newest value of every series of this host: the bridge's own, and those of the runtime, Kestrel, HttpClient and Npgsql.
/// </summary>
internal sealed class MetricsCollector : IHostedService, IDisposable
{
    private static readonly string[] Meters =
    [
        BridgeMeter.Name, "System.Runtime", "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Net.Http",
        "Npgsql",
    ];

    // Connections by the address of each peer: series without an end, which tell nothing that the durations do not.
    private static readonly string[] LeftOut = ["http.client.open_connections", "http.client.connection.duration"];

    private readonly ConcurrentDictionary<(Instrument Instrument, string Labels), Series> _series = new();
    private readonly MeterListener _listener = new();
    private readonly Lock _observing = new();
    private readonly IServiceProvider _services;

    public MetricsCollector(IMeterFactory meters, IServiceProvider services)
    {
        _services = services;
        _listener.InstrumentPublished = (instrument, self) =>
        {
            // Another host of the same process has meters of the same names, made by another factory.
            var isOfThisHost = instrument.Meter.Scope is null || ReferenceEquals(instrument.Meter.Scope, meters);
            if (isOfThisHost && Meters.Contains(instrument.Meter.Name) && !LeftOut.Contains(instrument.Name))
                self.EnableMeasurementEvents(instrument, new KnownTags());
        };
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, known) => Record(instrument, value, tags, known));
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, known) => Record(instrument, value, tags, known));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, known) => Record(instrument, value, tags, known));
        _listener.Start();
    }

    // A hosted service only so that it listens before any other one measures.
    public Task StartAsync(CancellationToken cancellationToken)
    {
        StartAtZero();
        // Such as the counters of a new tier.
        _services.GetRequiredService<CurrentSettings>().Changed += StartAtZero;
        return Task.CompletedTask;
    }

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

    private void StartAtZero()
    {
        foreach (var instruments in _services.GetServices<IInstruments>())
        {
            instruments.StartAtZero();
            foreach (var (histogram, tags) in instruments.EmptyHistograms)
                Find(histogram, tags);
        }
    }

    private void Record(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags, object? known)
    {
        // Series of observable instruments come and go with each collection.
        if (instrument.IsObservable || known is not KnownTags seen)
        {
            Find(instrument, tags).Record(value);
            return;
        }

        if (!seen.TryGet(tags, out var series))
        {
            series = Find(instrument, tags);
            seen.Add(tags, series);
        }

        series.Record(value);
    }

    private Series Find(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
        _series.GetOrAdd((instrument, PrometheusText.Labels(tags)), static key => new Series(key.Instrument));

    /// <summary>The series of one instrument by the tags as they are given: a request is not worth the text of its labels.</summary>
    private sealed class KnownTags
    {
        private readonly ConcurrentDictionary<KeyValuePair<string, object?>[], Series> _series = new(TagsComparer.Instance);

        public bool TryGet(ReadOnlySpan<KeyValuePair<string, object?>> tags, [NotNullWhen(true)] out Series? series) =>
            _series.GetAlternateLookup<ReadOnlySpan<KeyValuePair<string, object?>>>().TryGetValue(tags, out series);

        public void Add(ReadOnlySpan<KeyValuePair<string, object?>> tags, Series series) => _series.TryAdd(tags.ToArray(), series);
    }

    private sealed class Series
    {
        private readonly Lock _gate = new();
        private readonly Instrument _instrument;
        private readonly bool _adds;
        private readonly double[] _bounds;
        private readonly long[] _buckets;

        private double _value;
        private long _count;

        public Series(Instrument instrument)
        {
            _instrument = instrument;
            _adds = IsAnyOf(instrument, typeof(Counter<>), typeof(UpDownCounter<>), typeof(Histogram<>));
            _bounds = instrument is Histogram<double> histogram
                ? [.. histogram.Advice?.HistogramBucketBoundaries ?? BridgeMeter.MomentBounds]
                : [];
            _buckets = new long[_bounds.Length + 1];
        }

        public void Record(double measured)
        {
            lock (_gate)
            {
                _value = _adds ? _value + measured : measured;
                _count++;
                if (_bounds.Length == 0)
                    return;
                var found = Array.BinarySearch(_bounds, measured);
                _buckets[found < 0 ? ~found : found]++;
            }
        }

        public SeriesSnapshot Snapshot(string labels)
        {
            lock (_gate)
            {
                var notAbove = 0L;
                return new SeriesSnapshot(
                    _instrument, labels, _value, _count, [.. _bounds.Zip(_buckets, (bound, count) => (bound, notAbove += count))]);
            }
        }
    }
}

/// <summary>One series at one moment.</summary>
/// <param name="Labels">In Prometheus's text, without braces.</param>
/// <param name="Value">Total of a counter, sum of a histogram, newest value of a gauge.</param>
/// <param name="Count">How many values were measured.</param>
/// <param name="Buckets">How many of them were not above each bound; none but in histograms.</param>
internal sealed record SeriesSnapshot(
    Instrument Instrument, string Labels, double Value, long Count, IReadOnlyList<(double Bound, long Count)> Buckets);
