using System.Net;
using System.Text.Json.Nodes;
using Dapper;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Metering.MeteringFixture;

namespace KeycloakCreditBridge.Tests.Metering.Reports;

public sealed class MeterFaultTests(PostgresFixture postgres)
{
    [Fact]
    public async Task An_account_that_is_renamed_under_a_report_pays_under_its_new_name()
    {
        await using var fixture = await StartAsync(postgres, ("Provisioning:AccountId", "{email}"));
        var ana = await fixture.Keycloak.CreateAsync("ana", new JsonObject { ["enabled"] = true, ["email"] = "ana@example.com" });
        await fixture.AskAsync(ana);
        await using var connection = await fixture.Database.DataSource.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await using (var renaming = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken))
        {
            (string, string)[] columns =
            [
                ("user_credits", "user_id"), ("credit_transactions", "user_id"), ("audit_logs", "user_id"),
                ("keycloak_users", "account_id"),
            ];
            foreach (var (table, column) in columns)
                await connection.ExecuteAsync($"update {table} set {column} = 'new@example.com' where {column} = 'ana@example.com'");
            var reported = fixture.ReportAsync(Record("r1", ana, 1m));
            await Eventually.TrueAsync(
                () => fixture.Database.WaitsAsync(), "charging waits for the renaming");
            await renaming.CommitAsync(TestContext.Current.CancellationToken);
            await reported;
        }

        Assert.Equal(4m, await fixture.BalanceAsync("new@example.com"));
    }

    [Fact]
    public async Task A_report_whose_charging_is_cut_off_is_charged_once_all_the_same()
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        await using var connection = await fixture.Database.DataSource.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await using (var held = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken))
        {
            await connection.ExecuteAsync("select from user_credits for update");
            Assert.Equal(HttpStatusCode.OK, (await fixture.PostAsync("usage/litellm", Record("r1", ana, 1m).ToJsonString())).Status);
            await Eventually.TrueAsync(
                async () => await fixture.Database.EndWaitingAsync() > 0, "the server cut off the connection that was charging");
            await held.RollbackAsync(TestContext.Current.CancellationToken);
        }

        await fixture.ProcessedAsync();
        Assert.Equal([1m], await fixture.ChargesAsync(ana));
    }

    [Fact]
    public async Task A_report_that_cannot_be_stored_is_sent_back_and_none_that_was_accepted_is_lost()
    {
        await using var server = await PostgresFixture.StartOwnAsync();
        var keycloak = await EmulatorFixture.StartAsync();
        var settings = BridgeFixture.Settings(
            await server.CreateDatabaseAsync("bridge", TestContext.Current.CancellationToken), keycloak.Server.Url);
        settings["Metering:ApiKeys:0"] = Key;
        await using var bridge = await BridgeFixture.Build(settings).StartAsync();
        using var http = new HttpClient { BaseAddress = bridge.Url };
        http.DefaultRequestHeaders.Add("x-api-key", Key);
        var id = await keycloak.CreateAsync("ana");
        await Eventually.TrueAsync(async () => await ReportAsync("before") == HttpStatusCode.OK, "the schema is there");

        await server.StopAsync(immediate: true);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await ReportAsync("during"));
        await server.StartAgainAsync(TestContext.Current.CancellationToken);

        await Eventually.TrueAsync(async () => await ReportAsync("after") == HttpStatusCode.OK, "reports are stored again");
        await using var database = new TestDatabase(settings["Storage:ConnectionString"]!);
        await Eventually.TrueAsync(
            async () => (await database.QueryAsync<string>(
                "select distinct metadata->>'record_id' from credit_transactions where transaction_type = 'usage' order by 1"))
                .SequenceEqual(["after", "before"]),
            "both accepted records are charged");
        await keycloak.DisposeAsync();

        async Task<HttpStatusCode> ReportAsync(string record)
        {
            using var content = new StringContent(new JsonArray(Record(record, id, 0.1m)).ToJsonString());
            using var answer = await http.PostAsync(
                new Uri("usage/litellm", UriKind.Relative), content, TestContext.Current.CancellationToken);
            return answer.StatusCode;
        }
    }

    [Fact]
    public async Task A_record_that_the_database_refuses_holds_up_no_other_and_is_kept_with_the_reason()
    {
        await using var fixture = await StartAsync(postgres);
        var (ana, bob) = (await fixture.AddUserAsync("ana"), await fixture.AddUserAsync("bob"));
        await fixture.Database.ExecuteAsync(
            """
            create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no usage of this kind here'; end $$;
            create trigger refuse before insert on credit_transactions for each row
            when (new.metadata->>'record_id' = 'bad') execute function refuse();
            """);

        await fixture.ReportAsync(
            [.. Enumerable.Range(0, 20).Select(number => Record($"r{number}", number % 2 == 0 ? ana : bob, 0.1m)), Record("bad", ana, 1m)]);

        Assert.Equal((4m, 4m), (await fixture.BalanceAsync(ana), await fixture.BalanceAsync(bob)));
        Assert.Equal(1, await fixture.Database.ScalarAsync<int>(
            """
            select count(*)::int from usage_refusals
            where error like '%no usage of this kind here' and convert_from(record, 'UTF8') like '%"bad"%'
            """));
    }
}
