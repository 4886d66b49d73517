using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Telemetry;
using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Telemetry;

public sealed class MetricsTests(PostgresFixture postgres)
{
    [Fact]
    public async Task Metrics_show_what_a_reconciliation_found_in_this_host_only()
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres, users: 15);
        await using var other = await bundle.NewBridge().StartAsync();
        await using var bridge = await bundle.NewBridge().StartAsync();
        await ReconciliationFixture.RunAsync(bridge, ReconciliationFixture.AllUsers, null, TestContext.Current.CancellationToken);

        using var mine = await bridge.GetAsync("metrics");
        using var others = await other.GetAsync("metrics");

        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", mine.Content.Headers.ContentType?.ToString());
        var text = await mine.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.Contains("# TYPE bridge_reconciliation_provisioned_total counter\nbridge_reconciliation_provisioned_total{realm=\"demo\"} "
            + "15\n", text, StringComparison.Ordinal);
        Assert.Contains("bridge_reconciliation_duration_seconds_count{realm=\"demo\",status=\"Done\"} 1\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain(
            "bridge_reconciliation_provisioned_total{", await others.Content.ReadAsStringAsync(TestContext.Current.CancellationToken),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Instruments_become_series_of_Prometheus()
    {
        using var services = new ServiceCollection().AddMetrics().AddSingleton<MetricsCollector>().BuildServiceProvider();
        var collector = services.GetRequiredService<MetricsCollector>();
        var meter = services.GetRequiredService<IMeterFactory>().Create(BridgeMeter.Name);
        var counter = meter.CreateCounter<long>("bridge.things", "{thing}", "Things\nof all kinds.");
        counter.Add(2, new("kind", "a \"b\"\\c"), new("also", 1));
        counter.Add(3, new("also", 1), new("kind", "a \"b\"\\c"));
        meter.CreateObservableGauge("bridge.age", () => 1.5, "s");
        var histogram = meter.CreateHistogram<double>("bridge.wait", "s");
        histogram.Record(0.02);
        histogram.Record(9000);

        var text = PrometheusText.Write(collector.Collect());

        Assert.Contains(
            "# HELP bridge_things_total Things\\nof all kinds.\n# TYPE bridge_things_total counter\n", text, StringComparison.Ordinal);
        Assert.Contains("bridge_things_total{also=\"1\",kind=\"a \\\"b\\\"\\\\c\"} 5\n", text, StringComparison.Ordinal);
        Assert.Contains("# TYPE bridge_age_seconds gauge\nbridge_age_seconds 1.5\n", text, StringComparison.Ordinal);
        Assert.Contains(
            "bridge_wait_seconds_bucket{le=\"0.01\"} 0\nbridge_wait_seconds_bucket{le=\"0.025\"} 1\n", text, StringComparison.Ordinal);
        Assert.Contains("bridge_wait_seconds_bucket{le=\"+Inf\"} 2\nbridge_wait_seconds_sum 9000.02\nbridge_wait_seconds_count 2\n", text,
            StringComparison.Ordinal);
    }
}
