using System.Diagnostics.Metrics;

namespace KeycloakCreditBridge.Telemetry;

/// <summary>The instruments of one room.</summary>
internal interface IInstruments
{
    /// <summary>
    /// Adds 0 to each counter whose tags are known from the configuration. Prometheus sees no increase in a series that appears with its
    /// first event, so an alert on that event would stay silent.
    /// </summary>
    void StartAtZero()
    {
    }

    /// <summary>Histograms that are shown without values from the start, for the same reason, each with its tags.</summary>
    IEnumerable<(Instrument Histogram, KeyValuePair<string, object?>[] Tags)> EmptyHistograms => [];
}
