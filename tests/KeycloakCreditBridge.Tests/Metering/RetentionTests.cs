using KeycloakCreditBridge.Metering;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using static KeycloakCreditBridge.Tests.Metering.MeteringScene;

namespace KeycloakCreditBridge.Tests.Metering;

public sealed class RetentionTests(PostgresServer postgres)
{
    [Fact]
    public async Task A_record_is_charged_once_as_long_as_it_is_remembered_and_no_longer()
    {
        await using var scene = await StartAsync(postgres, ("Metering:RecordRetention", "10.00:00:00"));
        var id = await scene.PersonAsync("ana");
        await scene.ReportAsync(Record("r1", id, 1m), Record("r2", id, 1m));
        await scene.Database.ExecuteAsync(
            "update usage_records set charged_at = case record_id when 'r1' then now() - interval '10 days 1 hour' else now() - interval '9 days 23 hours' end");
        var purge = scene.Bridge.Services.GetServices<IHostedService>().OfType<RecordPurge>().Single();

        await purge.PurgeAsync(TestContext.Current.CancellationToken);
        Assert.Equal(["r2"], await scene.Database.QueryAsync<string>("select record_id from usage_records"));
        await scene.ReportAsync(Record("r1", id, 1m), Record("r2", id, 1m));

        Assert.Equal(2m, await scene.BalanceAsync(id));
    }

    [Fact]
    public async Task More_than_a_batch_of_old_records_is_forgotten_in_one_go()
    {
        await using var scene = await StartAsync(postgres);
        await scene.Database.ExecuteAsync(
            "insert into usage_records (user_id, record_id, charged_at) select 'u', n::text, now() - interval '401 days' from generate_series(1, 2500) n");
        var purge = scene.Bridge.Services.GetServices<IHostedService>().OfType<RecordPurge>().Single();
        await purge.PurgeAsync(TestContext.Current.CancellationToken);
        // The service's own look at its start may have had a part of them.
        await Eventually.TrueAsync(() => scene.Database.ScalarAsync<bool>("select count(*) = 0 from usage_records"), "all are forgotten");
    }
}
