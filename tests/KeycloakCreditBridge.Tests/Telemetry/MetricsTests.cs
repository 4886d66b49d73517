using System.Diagnostics.Metrics;
using KeycloakCreditBridge.Telemetry;
using KeycloakCreditBridge.Tests.Documents.Alerts;
using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Running;
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
        Assert.Contains("bridge_reconciliation_provisioned_total{realm=\"demo\"} 0\n",
            await others.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_counter_of_a_configured_realm_is_0_before_anything_happens()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 0);
        await using var bridge = await fixture.NewBridge().StartAsync();

        var text = await bridge.ReadMetricsAsync();

        string[] series =
        [
            "bridge_webhook_accepted_total{realm=\"demo\"} 0", "bridge_webhook_not_stored_total{realm=\"demo\"} 0",
            "bridge_poll_failed_total{realm=\"demo\"} 0", "bridge_poll_losses_total{realm=\"demo\",stream=\"admin-events\"} 0",
            "bridge_reconciliation_runs_total{realm=\"demo\",status=\"Failed\"} 0", "bridge_hints_dead_lettered_total 0",
            "bridge_accounts_credits_total{tier=\"trial\"} 0", "bridge_registrations_delay_seconds_bucket{realm=\"demo\",le=\"5\"} 0",
            "bridge_registrations_delay_seconds_count{realm=\"demo\"} 0",
            "bridge_webhook_refused_total{realm=\"demo\",reason=\"wrong_realm\"} 0",
            "bridge_webhook_refused_total{realm=\"demo\",reason=\"signature_doubled\"} 0",
            "bridge_accounts_opened_total{tier=\"trial\"} 0", "bridge_registrations_late_total{realm=\"demo\"} 0",
            "bridge_credits_changes_total{type=\"usage\"} 0", "bridge_periods_refused_total 0", "bridge_meter_refused_total 0",
        ];
        Assert.All(series, line => Assert.Contains($"{line}\n", text, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Runtime_HTTP_connections_and_the_build_are_shown_beside_the_bridges_own_metrics()
    {
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 1);
        await using var bridge = await fixture.NewBridge().StartAsync();
        await ReconciliationFixture.RunAsync(bridge, ReconciliationFixture.AllUsers, null, TestContext.Current.CancellationToken);
        string[] names =
        [
            "bridge_build_info{runtime=\".NET ", "dotnet_process_memory_working_set_bytes ", "dotnet_gc_collections_total{",
            "http_server_request_duration_seconds_bucket{", "http_client_request_duration_seconds_count{",
            "db_client_connections{",
        ];
        var text = "";
        // A request is measured after its answer was read.
        await Eventually.TrueAsync(
            async () =>
            {
                text = await bridge.ReadMetricsAsync();
                return text.Contains(names[3], StringComparison.Ordinal);
            },
            "a request is measured");

        Assert.All(names, name => Assert.Contains($"\n{name}", text, StringComparison.Ordinal));
    }

    [StartsPrograms, Fact]
    public async Task Promtool_finds_nothing_to_mend_in_the_metrics()
    {
        Promtool.Require();
        await using var fixture = await ReconciliationFixture.StartAsync(postgres, users: 3);
        await using var bridge = await fixture.NewBridge().StartAsync();
        await ReconciliationFixture.RunAsync(bridge, ReconciliationFixture.AllUsers, null, TestContext.Current.CancellationToken);
        _ = await bridge.ReadMetricsAsync();

        Assert.Equal("", await Promtool.ComplaintsAsync(await bridge.ReadMetricsAsync(), "check", "metrics"));
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
        var histogram = meter.CreateHistogram("bridge.wait", "s", null, tags: null, BridgeMeter.Moments);
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
