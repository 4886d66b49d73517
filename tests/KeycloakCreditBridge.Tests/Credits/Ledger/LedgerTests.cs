using System.Net;
using System.Text.Json.Nodes;
using Dapper;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Credits.Ledger;

public sealed class LedgerTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const string Transactions = "api/v1/credits/transactions";

    // Ten of them share one instant: only the id tells them apart.
    private const string UsageSql =
        """
        insert into credit_transactions (user_id, amount, balance_after, transaction_type, provider, model, tokens_used, cost, metadata,
            created_at)
        select @Id, -0.01, 5 - n * 0.01, 'usage', case n % 2 when 0 then 'openai' else 'anthropic' end, 'm' || n % 3, 100, 0.01,
            jsonb_build_object('is_free', n % 5 = 0), timestamptz '2030-01-01' + n / 10 * interval '1 minute'
        from generate_series(1, 120) n
        """;

    private CreditsFixture _fixture = null!;
    private string _id = "";
    private string _token = "";

    public async ValueTask InitializeAsync()
    {
        _fixture = await CreditsFixture.StartAsync(postgres);
        _id = await _fixture.AddUserAsync();
        _token = _fixture.TokenOf(_id);
        await _fixture.Database.ExecuteAsync(UsageSql, new { Id = _id });
        await _fixture.Database.ExecuteAsync("update user_credits set credits_remaining = credits_remaining - 1.2");
    }

    public ValueTask DisposeAsync() => _fixture.DisposeAsync();

    [Fact]
    public async Task Pages_by_cursor_show_every_row_once_newest_first_while_rows_are_added()
    {
        List<string> seen = [];
        for (var path = $"{Transactions}?limit=7"; ;)
        {
            var answer = await _fixture.GetAsync(path, _token);
            seen.AddRange(answer.Json.AsArray().Select(row => (string)row!["id"]!));
            await _fixture.PostAsync(CreditsFixture.Track, _token, new JsonObject { ["service"] = "late" });
            if (answer.Cursor is null)
                break;
            path = $"{Transactions}?limit=7&cursor={answer.Cursor}";
        }

        var all = await _fixture.Database.QueryAsync<Guid>(
            "select id from credit_transactions where provider is distinct from 'late' order by coalesce(created_at, '-infinity') desc, "
                + "id desc");
        Assert.Equal(all.Select(id => id.ToString()), seen.Where(id => all.Contains(Guid.Parse(id))));
    }

    [Fact]
    public async Task Pages_by_offset_and_by_type_have_the_shape_that_callers_know()
    {
        var page = (await _fixture.GetAsync($"{Transactions}?limit=3&offset=118", _token)).Json.AsArray();
        Assert.Equal(3, page.Count);
        var opening = Assert.Single((await _fixture.GetAsync($"{Transactions}?transaction_type=purchase",
            _token)).Json.AsArray())!.AsObject();
        Assert.Equal(((string)page[2]!["id"]!, "5.000000", "5.000000"),
            ((string)opening["id"]!, (string)opening["amount"]!, (string)opening["balance_after"]!));
        Assert.Superset(
            new HashSet<string> { "id", "user_id", "amount", "balance_after", "transaction_type", "service", "model", "cost_breakdown",
            "metadata", "created_at" },
            opening.Select(field => field.Key).ToHashSet());
        var history = (await _fixture.GetAsync("api/v1/llm/credits/history?limit=2&offset=1", _token)).Json;
        Assert.Equal(
            (121, 2, 1, 2), ((int)history["total"]!, (int)history["limit"]!, (int)history["offset"]!,
            history["transactions"]!.AsArray().Count));
    }

    [Fact]
    public async Task Rows_without_a_time_stand_at_the_end_and_are_reached_by_cursor_too()
    {
        await _fixture.Database.ExecuteAsync("update credit_transactions set created_at = null where balance_after in (4.99, 4.98, 4.97)");
        List<string?> times = [];
        for (string? cursor = ""; cursor is not null;)
        {
            var answer = await _fixture.GetAsync($"{Transactions}?limit=50&cursor={cursor}", _token);
            times.AddRange(answer.Json.AsArray().Select(row => (string?)row!["created_at"]));
            cursor = answer.Cursor;
        }

        Assert.Equal(121, times.Count);
        Assert.Equal(3, times.Count(time => time is null));
        Assert.All(times[^3..], Assert.Null);
    }

    [Theory]
    [InlineData("limit=0", "limit")]
    [InlineData("limit=501", "limit")]
    [InlineData("limit=x", "limit")]
    [InlineData("offset=-1", "offset")]
    [InlineData("cursor=abc", "cursor")]
    [InlineData("cursor=%00", "cursor")]
    [InlineData("transaction_type=theft", "transaction_type")]
    public async Task An_invalid_page_is_refused_by_name(string query, string field)
    {
        var answer = await _fixture.GetAsync($"{Transactions}?{query}", _token);
        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.NotNull(answer.Json["errors"]![field]);
    }

    [Fact]
    public async Task Usage_is_summed_by_service_and_by_model_within_its_time()
    {
        var summary = (await _fixture.GetAsync("api/v1/credits/usage/summary?start_date=2030-01-01&end_date=2030-01-01", _token)).Json;
        Assert.Equal(
            (120, 12_000, "1.200000", 24, 96),
            ((int)summary["total_events"]!, (int)summary["total_tokens"]!, (string)summary["total_cost"]!,
            (int)summary["free_tier_events"]!,
                (int)summary["paid_tier_events"]!));
        Assert.Equal("0.600000", (string)summary["services"]!["openai"]!["cost"]!);
        Assert.Equal("2030-01-02T00:00:00.000000+00:00", (string)summary["period"]!["end"]!);
        var models = (await _fixture.GetAsync("api/v1/credits/usage/by-model?start_date=2030-01-01&end_date=2030-01-01T00:05:00Z",
            _token)).Json.AsArray();
        Assert.Equal(49, models.Sum(model => (int)model!["events"]!));
        var services = (await _fixture.GetAsync("api/v1/credits/usage/by-service?start_date=2030-01-01&end_date=2030-01-01",
            _token)).Json.AsArray();
        Assert.Equal(["anthropic", "openai"], services.Select(service => (string)service!["service"]!));
        var none = (await _fixture.GetAsync("api/v1/credits/usage/summary", _token)).Json;
        Assert.Equal((0, "0.000000"), ((int)none["total_events"]!, (string)none["total_cost"]!));
        Assert.Equal(HttpStatusCode.BadRequest, (await _fixture.GetAsync("api/v1/credits/usage/summary?start_date=soon", _token)).Status);
        Assert.Equal(
            HttpStatusCode.BadRequest, (await _fixture.GetAsync("api/v1/credits/usage/summary?start_date=2030-01-02&end_date=2030-01-01",
            _token)).Status);
    }

    [Theory]
    [InlineData("end_date=0001-01-05", "end_date")]
    [InlineData("end_date=0001-01-05T00:00:00Z", "end_date")]
    [InlineData("start_date=1969-12-31", "start_date")]
    [InlineData("start_date=1970-01-01T00:30:00%2B01:00", "start_date")]
    [InlineData("end_date=9999-12-31", "end_date")]
    [InlineData("end_date=9999-12-31T23:59:59Z", "end_date")]
    [InlineData("start_date=9999-12-31", "start_date")]
    public async Task An_invalid_time_range_is_refused_by_name(string query, string field)
    {
        var answer = await _fixture.GetAsync($"api/v1/credits/usage/summary?{query}", _token);
        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.Contains($"'{field}' is not from 1970-01-01 to 9999-12-30", answer.Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("start_date=1970-01-01&end_date=9999-12-30")]
    [InlineData("end_date=1970-01-01")]
    public async Task The_widest_time_is_summed(string query) =>
        Assert.Equal(HttpStatusCode.OK, (await _fixture.GetAsync($"api/v1/credits/usage/summary?{query}", _token)).Status);

    [Fact]
    public async Task No_user_reads_the_ledger_or_the_usage_of_another_user()
    {
        var other = _fixture.TokenOf("u2");
        var admin = _fixture.TokenOf("a2", CreditsFixture.Other, [CreditsFixture.Admin]);
        foreach (var path in (string[])[
            Transactions, "api/v1/llm/credits", "api/v1/llm/credits/history", "api/v1/credits/usage/summary",
                "api/v1/credits/usage/by-model",
            "api/v1/credits/usage/by-service", "api/v1/credits/tiers/compare"])
        {
            Assert.Equal(HttpStatusCode.Forbidden, (await _fixture.GetAsync($"{path}?user_id={_id}", other)).Status);
            Assert.Equal(HttpStatusCode.NotFound, (await _fixture.GetAsync($"{path}?user_id={_id}", admin)).Status);
            Assert.Equal(HttpStatusCode.Unauthorized, (await _fixture.GetAsync(path, null)).Status);
            Assert.Equal(HttpStatusCode.OK, (await _fixture.GetAsync($"{path}?user_id={_id}",
                _fixture.TokenOf("a1", CreditsFixture.Admin))).Status);
        }
    }

    [Fact]
    public async Task Only_an_administrator_switches_tiers_and_the_balance_stays()
    {
        const string Switch = "api/v1/credits/tiers/switch";
        var body = new JsonObject { ["user_id"] = _id, ["new_tier"] = "professional" };
        Assert.Equal(HttpStatusCode.Forbidden, (await _fixture.PostAsync(Switch, _token, body)).Status);
        Assert.Equal(HttpStatusCode.Forbidden,
            (await _fixture.PostAsync(Switch, _fixture.TokenOf("s1", CreditsFixture.Service), body)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await _fixture.PostAsync(Switch,
            _fixture.TokenOf("a2", CreditsFixture.Other, [CreditsFixture.Admin]), body)).Status);
        var admin = _fixture.TokenOf("a1", CreditsFixture.Admin);
        var answer = await _fixture.PostAsync(Switch, admin, body);
        Assert.Equal(("professional", "3.800000", "60.000000", "60.000000"),
            (answer["tier"], answer["balance"], answer["monthly_cap"], answer["allocated_monthly"]));
        Assert.Equal(
            """{"by": "a1", "to": "professional", "from": "trial"}""",
            await _fixture.Database.ScalarAsync<string>("select metadata::text from audit_logs where action = 'tier.switch'"));
        body["new_tier"] = "gold";
        Assert.Contains("'new_tier' is none of", (await _fixture.PostAsync(Switch, admin, body)).Detail, StringComparison.Ordinal);
        var compared = (await _fixture.GetAsync("api/v1/credits/tiers/compare", _token)).Json;
        Assert.Equal("professional", (string)compared["current_tier"]!);
        var tiers = (await _fixture.GetAsync("api/v1/credits/tiers", _token)).Json.AsArray();
        Assert.Equal(["free", "trial", "starter", "professional", "enterprise"], tiers.Select(tier => (string)tier!["tier"]!));
        Assert.Equal(("5.000000", 30), ((string)tiers[1]!["credits"]!, (int)tiers[1]!["period_days"]!));
    }

    [Fact]
    public async Task A_tier_is_switched_although_the_account_is_renamed_meanwhile_and_not_once_it_is_closed()
    {
        const string Switch = "api/v1/credits/tiers/switch";
        var admin = _fixture.TokenOf("a1", CreditsFixture.Admin);
        var body = new JsonObject { ["user_id"] = _id, ["new_tier"] = "starter" };
        var renamed = $"renamed-{_id}";
        await using var connection = await _fixture.Database.DataSource.OpenConnectionAsync(TestContext.Current.CancellationToken);
        Task<ApiReply> switching;
        await using (var renaming = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken))
        {
            await connection.ExecuteAsync(
                """
                update user_credits set user_id = @To where user_id = @Id;
                update credit_transactions set user_id = @To where user_id = @Id;
                update audit_logs set user_id = @To where user_id = @Id;
                update keycloak_users set account_id = @To where account_id = @Id;
                """,
                new { To = renamed, Id = _id },
                renaming);
            switching = _fixture.PostAsync(Switch, admin, body);
            await Eventually.TrueAsync(
                () => _fixture.Database.WaitsAsync(), "the switch waits for the row");
            await renaming.CommitAsync(TestContext.Current.CancellationToken);
        }

        var answer = await switching;
        Assert.Equal((HttpStatusCode.OK, renamed, "starter"), (answer.Status, answer["user_id"], answer["tier"]));
        await _fixture.Database.ExecuteAsync("update user_credits set status = 'closed', status_reason = 'deleted'");
        Assert.Contains("closed", (await _fixture.PostAsync(Switch, admin, body)).Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_an_administrator_initializes_an_account()
    {
        var user = new EmulatedUser(EmulatedUser.NewId(), "new");
        _fixture.Keycloak.Realm(CreditsFixture.Realm).AddUser(user);
        var path = $"api/v1/admin/users/{user.Id}/initialize";
        Assert.Equal(HttpStatusCode.Forbidden, (await _fixture.SendAsync(HttpMethod.Post, path, _token, null, null)).Status);
        var admin = _fixture.TokenOf("a1", CreditsFixture.Admin);
        Assert.Equal("5.000000", (await _fixture.SendAsync(HttpMethod.Post, path, admin, null, null))["balance"]);
        Assert.Equal(HttpStatusCode.NotFound, (await _fixture.SendAsync(HttpMethod.Post, "api/v1/admin/users/unknown/initialize", admin,
            null, null)).Status);
        _fixture.Keycloak.Faults.Fail("*/users/*", 10, 500);
        Assert.Equal(
            HttpStatusCode.ServiceUnavailable, (await _fixture.SendAsync(HttpMethod.Post, "api/v1/admin/users/other/initialize", admin,
                null, null)).Status);
    }
}
