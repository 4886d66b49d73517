using System.Net;
using System.Text;
using KeycloakCreditBridge.Intake.Authentication;
using KeycloakCreditBridge.Intake.Deliveries;
using KeycloakCreditBridge.Intake.Deliveries.Recording;
using KeycloakCreditBridge.Storage;
using KeycloakCreditBridge.Tests.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Intake.Webhooks;

public sealed class RecordedDeliveryTests(PostgresFixture postgres)
{
    [Fact]
    public async Task Each_proven_webhook_is_a_row_with_what_came_of_it()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await StartAsync(database);

        await host.DeliverAsync(Deliveries.UserEvent("ana"));
        await host.DeliverAsync(Deliveries.UserEvent("ana", "access.LOGIN_ERROR"));
        await host.DeliverAsync(Deliveries.UserEvent("ben", realm: "other"));
        await host.DeliverAsync("""{"type":"access.REGISTER","authDetails":{"userId":7}}""");

        await WrittenAsync(database, 4);
        var rows = await database.QueryAsync<(string Way, string? Format, string? Event, string? User, string Outcome, string? Reason)>(
            "select way, format, event, keycloak_id, outcome, reason from deliveries order by reason nulls first");
        Assert.Equal(("webhook", "PhaseTwo", "REGISTER", "ana", "stored", null), rows[0]);
        Assert.Equal(("webhook", "PhaseTwo", "LOGIN_ERROR", null, "ignored", "failed_event"), rows[1]);
        Assert.Equal((null, "refused", "malformed"), (rows[2].User, rows[2].Outcome, rows[2].Reason));
        Assert.Equal((null, "refused", "wrong_realm"), (rows[3].User, rows[3].Outcome, rows[3].Reason));
        Assert.Equal(
            [false, false, true, true],
            await database.QueryAsync<bool>("select body is not null from deliveries order by reason nulls first"));
        Assert.Equal(0, await database.ScalarAsync<long>("select count(*) from deliveries where duration_us <= 0"));
    }

    [Fact]
    public async Task A_sender_without_proof_writes_no_row_and_is_counted_by_minute_and_reason()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using (var host = await StartAsync(database))
        {
            for (var sent = 0; sent < 20; sent++)
            {
                var (status, _, _) = await host.DeliverAsync(
                    Deliveries.UserEvent($"u{sent}"), change: request =>
                    {
                        request.Headers.Remove(HmacSignature.Header);
                        request.Headers.UserAgent.ParseAdd("unknown/1.0");
                    });
                Assert.Equal(HttpStatusCode.Unauthorized, status);
            }
        }

        Assert.Equal(0, await database.ScalarAsync<long>("select count(*) from deliveries"));
        Assert.Equal(
            ("signature_missing", 20, "unknown/1.0"),
            Assert.Single((await database.QueryAsync<(string, int, string)>(
                "select reason, sum(count)::int, min(sample ->> 'userAgent') from unproven_deliveries group by reason"))));
        Assert.InRange(await database.ScalarAsync<long>("select count(*) from unproven_deliveries"), 1, 2);
    }

    [Fact]
    public async Task An_unsigned_delivery_that_is_allowed_proves_nothing_and_writes_no_row()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using (var host = await StartAsync(
            database, ("Keycloak:Realms:0:WebhookSecrets:0", null), ("Intake:Webhook:AllowUnsigned", "true")))
            Assert.Equal(HttpStatusCode.NoContent, (await host.DeliverAsync(Deliveries.UserEvent("ana"))).Status);

        Assert.Equal(0, await database.ScalarAsync<long>("select count(*) from deliveries"));
        Assert.Equal("unsigned", await database.ScalarAsync<string>("select reason from unproven_deliveries"));
    }

    [Fact]
    public async Task The_deliveries_of_a_burst_add_up_to_what_was_sent()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await StartAsync(database);

        await Parallel.ForEachAsync(
            Enumerable.Range(0, 1_000), new ParallelOptions { MaxDegreeOfParallelism = 16 },
            async (number, _) => await host.DeliverAsync(
                number % 10 == 0 ? "{}" : Deliveries.UserEvent($"u{number}", number % 10 == 1 ? "access.LOGIN_ERROR" : "access.REGISTER")));

        await WrittenAsync(database, 1_000);
        Assert.Equal(
            [("ignored", 100), ("refused", 100), ("stored", 800)],
            await database.QueryAsync<(string, int)>("select outcome, count(*)::int from deliveries group by outcome order by outcome"));
        Assert.Equal(800, await database.ScalarAsync<long>("select count(*) from user_hints"));
    }

    [Fact]
    public async Task While_no_row_can_be_written_webhooks_are_taken_and_the_rows_follow()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await StartAsync(database);
        await database.ExecuteAsync("alter table deliveries rename to hidden");

        foreach (var user in (string[])["ana", "ben"])
            Assert.Equal(HttpStatusCode.NoContent, (await host.DeliverAsync(Deliveries.UserEvent(user))).Status);
        await Eventually.TrueAsync(() => host.LogIds.Contains(230), "the writer has failed");
        Assert.Equal(HttpStatusCode.NoContent, (await host.DeliverAsync(Deliveries.UserEvent("cem"))).Status);

        await database.ExecuteAsync("alter table hidden rename to deliveries");
        await WrittenAsync(database, 3);
    }

    [Fact]
    public async Task A_delivery_of_a_day_that_is_not_there_makes_the_day()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await StartAsync(database);
        await host.DeliverAsync(Deliveries.UserEvent("ana"));
        await WrittenAsync(database, 1);
        await database.ExecuteAsync("select credit_drop_delivery_days(current_date + 10)");

        await host.DeliverAsync(Deliveries.UserEvent("ben"));

        await WrittenAsync(database, 1);
    }

    [Theory]
    [InlineData(99, 99, 0, false)]
    [InlineData(100, 100, 0.2, true)]
    [InlineData(2_000, 9_999, 4.9, true)]
    [InlineData(2_000, 10_000, 0.2, false)]
    [InlineData(2_000, 9_000, 5, false)]
    public void Rows_of_a_burst_wait_until_it_is_over_for_5_seconds_and_10_000_rows_at_most(
        int added, int waiting, double seconds, bool waits) =>
        Assert.Equal(waits, DeliveryWriter.WaitsForCalm(added, waiting, TimeSpan.FromSeconds(seconds)));

    [Fact]
    public async Task A_group_whose_commit_was_not_confirmed_is_recorded_once()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var store = new DeliveryStore(database.DataSource);
        var at = RecordedDelivery.TimeOf(Guid.CreateVersion7());
        RecordedDelivery[] rows = [.. Enumerable.Range(0, 3).Select(number => new RecordedDelivery(
            Guid.CreateVersion7(at), at, "demo", DeliveryWays.Webhook, DeliveryOutcomes.Stored) { KeycloakId = $"u{number}" })];
        await store.AddAsync(rows[..2], TestContext.Current.CancellationToken);

        var refusal = await Assert.ThrowsAsync<PostgresException>(() => store.AddAsync(rows, TestContext.Current.CancellationToken));
        Assert.True(PostgresErrors.IsCausedByData(refusal));
        foreach (var row in rows)
            await store.AddAsync([row], TestContext.Current.CancellationToken);

        Assert.Equal(
            ["u0", "u1", "u2"], await database.QueryAsync<string>("select keycloak_id from deliveries order by keycloak_id"));
    }

    [Fact]
    public async Task With_Keep_0_nothing_is_recorded()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using (var host = await StartAsync(database, ("Deliveries:Keep", "00:00:00")))
        {
            Assert.Equal(HttpStatusCode.NoContent, (await host.DeliverAsync(Deliveries.UserEvent("ana"))).Status);
            Assert.Equal(
                HttpStatusCode.Unauthorized,
                (await host.DeliverAsync("{}", change: request => request.Headers.Remove(HmacSignature.Header))).Status);
        }

        Assert.Equal(
            0, await database.ScalarAsync<long>("select (select count(*) from deliveries) + (select count(*) from unproven_deliveries)"));
    }

    [Theory]
    [InlineData("""{"type":"x","details":{"new_password":"hunter2","a":1}}""", "hunter2", "\"a\":1")]
    [InlineData("""{"representation":"{\"credentials\":[{\"type\":\"password\",\"value\":\"hunter2\"}]}","b":2}""", "hunter2", "\"b\":2")]
    [InlineData("""{"a":1,"clientSecret":"hunter2""", "hunter2", "\"a\":1")]
    [InlineData("""{"a":1,"note":"s3cret-of-the-webhook"}""", "s3cret-of-the-webhook", "\"a\":1")]
    [InlineData("""[["access_token=hunter2"],"kept"]""", "hunter2", "kept")]
    public void A_kept_body_has_no_credential(string body, string credential, string kept)
    {
        var text = DeliveryBody.Of(Encoding.UTF8.GetBytes(body), [Deliveries.Secret]);

        Assert.DoesNotContain(credential, text, StringComparison.Ordinal);
        Assert.Contains(kept, text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_kept_body_is_text_of_16_KiB_at_most()
    {
        var text = DeliveryBody.Of(
            [.. Encoding.UTF8.GetBytes("ö\0\ud83d\ude00"), 0xff, .. Encoding.UTF8.GetBytes(new string('ü', 20_000))], []);

        Assert.InRange(Encoding.UTF8.GetByteCount(text), 16 * 1024 - 3, 16 * 1024);
        Assert.DoesNotContain('\0', text);
    }

    [Fact]
    public void An_id_leads_to_its_time()
    {
        var at = new DateTimeOffset(2026, 3, 29, 1, 59, 59, 999, TimeSpan.Zero);

        Assert.Equal(at, RecordedDelivery.TimeOf(Guid.CreateVersion7(at)));
        Assert.Equal(DateTimeOffset.MaxValue, RecordedDelivery.TimeOf(Guid.AllBitsSet));
    }

    private static async Task<IntakeFixture> StartAsync(TestDatabase database, params (string Key, string? Value)[] settings)
    {
        var host = await IntakeFixture.StartAsync(database.ConnectionString, settings);
        await host.SchemaReadyAsync();
        return host;
    }

    private static Task WrittenAsync(TestDatabase database, long rows) => Eventually.TrueAsync(
        async () => await database.ScalarAsync<long>("select count(*) from deliveries") == rows, $"{rows} rows are written");
}
