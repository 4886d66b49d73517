using System.Globalization;
using System.Net;
using Dapper;
using KeycloakCreditBridge.Metering.Reports;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using static KeycloakCreditBridge.Tests.Metering.MeteringFixture;

namespace KeycloakCreditBridge.Tests.Metering.Reports;

public sealed class RetentionTests(PostgresFixture postgres)
{
    [Fact]
    public async Task A_record_is_charged_once_as_long_as_it_is_remembered_and_no_longer()
    {
        await using var fixture = await StartAsync(postgres, ("Metering:RecordRetention", "10.00:00:00"));
        var id = await fixture.AddUserAsync("ana");
        await fixture.ReportAsync(Record("r1", id, 1m), Record("r2", id, 1m));
        await fixture.Database.ExecuteAsync(
            """
            update usage_records
            set charged_at = now() - case record_id when 'r1' then interval '10 days 1 hour' else interval '9 days 23 hours' end
            """);
        var purge = fixture.Bridge.Services.GetServices<IHostedService>().OfType<RecordPurge>().Single();

        await purge.PurgeAsync(TestContext.Current.CancellationToken);
        Assert.Equal(["r2"], await fixture.Database.QueryAsync<string>("select record_id from usage_records"));
        await fixture.ReportAsync(Record("r1", id, 1m), Record("r2", id, 1m));

        Assert.Equal(2m, await fixture.BalanceAsync(id));
    }

    [Fact]
    public async Task Refused_records_are_kept_for_a_while_and_no_longer()
    {
        await using var fixture = await StartAsync(postgres, ("Metering:RefusalRetention", "10.00:00:00"));
        await fixture.Database.ExecuteAsync(
            """
            insert into usage_refusals (record, error, refused_at)
            select '', case n when 1 then 'young' else 'old' end,
                now() - case n when 1 then interval '9 days 23 hours' else interval '10 days 1 hour' end
            from generate_series(1, 2500) n
            """);
        var purge = fixture.Bridge.Services.GetServices<IHostedService>().OfType<RecordPurge>().Single();
        await purge.PurgeAsync(TestContext.Current.CancellationToken);
        // The service's own purge at its start may have taken a part of them.
        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>("select count(*) = 1 from usage_refusals"), "all old ones are forgotten");
        Assert.Equal(["young"], await fixture.Database.QueryAsync<string>("select error from usage_refusals"));
    }

    [Fact]
    public async Task Waiting_reports_are_shown_and_those_without_an_account_are_not_late()
    {
        await using var fixture = await StartAsync(postgres);
        var id = await fixture.AddUserAsync("ana");
        Assert.Equal(HttpStatusCode.OK, (await fixture.PostAsync("usage/litellm", Record("r1", "unknown", 1m).ToJsonString())).Status);
        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>("select exists (select from usage_batches where attempts > 0)"),
            "the record waits for its account");
        await fixture.Database.ExecuteAsync("update usage_batches set due_at = now() + interval '1 hour'");
        Assert.Equal((1m, 0m), await BacklogAsync(fixture));

        await using var connection = await fixture.Database.DataSource.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await using var held = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
        await connection.ExecuteAsync("select from user_credits for update");
        await fixture.Database.ExecuteAsync(
            """
            insert into usage_batches (body, received_at, due_at)
            select convert_to(@Body, 'UTF8'), t, t from (select now() - interval '1 hour' as t) t
            """,
            new { Body = Record("r2", id, 1m).ToJsonString() });
        var (waiting, lag) = await BacklogAsync(fixture);
        Assert.Equal(2m, waiting);
        Assert.True(lag >= 3_600m);
        await held.RollbackAsync(TestContext.Current.CancellationToken);
        await Eventually.TrueAsync(async () => await fixture.BalanceAsync(id) == 4m, "the report is charged");
    }

    // A bridge looks when it starts.
    private static async Task<(decimal Waiting, decimal Behind)> BacklogAsync(MeteringFixture fixture)
    {
        await using var bridge = await BridgeFixture.Build(fixture.Database, fixture.Keycloak).StartAsync();
        string[] lines = [];
        await Eventually.TrueAsync(
            async () =>
            {
                using var answer = await bridge.GetAsync("metrics");
                lines = (await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).Split('\n');
                return lines.Any(line => line.StartsWith("bridge_meter_waiting ", StringComparison.Ordinal));
            },
            "the backlog is known");
        return (Value("bridge_meter_waiting "), Value("bridge_meter_lag_seconds "));

        decimal Value(string series) => decimal.Parse(
            lines.Single(line => line.StartsWith(series, StringComparison.Ordinal))[series.Length..], NumberStyles.Float,
            CultureInfo.InvariantCulture);
    }

    [Fact]
    public async Task More_than_a_batch_of_old_records_is_forgotten_in_one_go()
    {
        await using var fixture = await StartAsync(postgres);
        await fixture.Database.ExecuteAsync(
            """
            insert into usage_records (user_id, record_id, charged_at)
            select 'u', n::text, now() - interval '401 days' from generate_series(1, 2500) n
            """);
        var purge = fixture.Bridge.Services.GetServices<IHostedService>().OfType<RecordPurge>().Single();
        await purge.PurgeAsync(TestContext.Current.CancellationToken);
        // The service's own purge at its start may have taken a part of them.
        await Eventually.TrueAsync(() => fixture.Database.ScalarAsync<bool>("select count(*) = 0 from usage_records"), "all are forgotten");
    }
}
