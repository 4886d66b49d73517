using System.Globalization;

namespace KeycloakCreditBridge.Benchmarks.Measurement;

/// <summary>Milliseconds that something took, many times.</summary>
internal sealed class Latencies
{
    private readonly List<double> _values = [];

    public int Count => _values.Count;

    public void Add(TimeSpan taken) => _values.Add(taken.TotalMilliseconds);

    public double At(double share) => _values.Order().ElementAt(Math.Min((int)(_values.Count * share), _values.Count - 1));

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"p50 {At(0.5):0.0} ms, p99 {At(0.99):0.0} ms, worst {At(1):0.0} ms");
}
