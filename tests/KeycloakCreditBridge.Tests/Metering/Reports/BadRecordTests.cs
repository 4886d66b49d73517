using System.Net;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Metering.MeteringFixture;

namespace KeycloakCreditBridge.Tests.Metering.Reports;

/// <summary>A report holds records of many users: a bad record must not affect the others.</summary>
public sealed class BadRecordTests(PostgresFixture postgres)
{
    private const string Cost = "\"response_cost\":0.25";

    public static TheoryData<string> Separators => new(",", ",\n ");

    [Theory]
    [MemberData(nameof(Separators))]
    public async Task NaN_Infinity_and_deep_records_leave_all_others_charged(string separator)
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        string[] records =
        [
            .. Enumerable.Range(0, 499).Select(number => Record($"r{number:D3}", ana, 0.001m).ToJsonString()),
            Text("nan", ana).Replace(Cost, "\"response_cost\": NaN", StringComparison.Ordinal),
            Text("infinite", ana).Replace(
                Cost, $"{Cost}, \"a\":[-Infinity,Infinity, \"\\\"NaN\", \"a, -Infinity]}}\"]", StringComparison.Ordinal),
            Deep("deep-70", ana, 70),
            Deep("deep-100", ana, 100),
            Deep("deep-9000", ana, 9_000),
            Text("last", ana),
        ];

        Assert.Equal(HttpStatusCode.OK, (await fixture.PostAsync("usage/litellm", $"[{string.Join(separator, records)}]")).Status);
        await fixture.ProcessedAsync();

        // Without a cost the tokens are what is paid for.
        Assert.Equal(5m - 0.499m - (4 * 0.25m) - 0.0001m, await fixture.BalanceAsync(ana));
        Assert.Equal(
            ["deep-100", "deep-70", "infinite", "last", "nan"],
            await fixture.Database.QueryAsync<string>("select record_id from usage_records where record_id !~ '^r' order by 1"));
        Assert.StartsWith(
            "It is no JSON", Assert.Single(await fixture.Database.QueryAsync<string>("select error from usage_refusals")),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_no_JSON_at_all_is_refused_alone_and_with_all_of_its_text()
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        var body = $"[{Text("a", ana)}, {{\"id\":\"b\",\"c\":[1,}}, {Text("d", ana)}]\n{Text("e", ana)}\n[{Text("f", ana)}";
        Assert.Equal(HttpStatusCode.OK, (await fixture.PostAsync("usage/litellm", body)).Status);
        await fixture.ProcessedAsync();
        Assert.Equal(["a"], (await fixture.Database.QueryAsync<string>("select record_id from usage_records order by 1")).Take(1));
        Assert.Equal(
            5m - (0.25m * await fixture.Database.ScalarAsync<int>("select count(*)::int from usage_records")),
                await fixture.BalanceAsync(ana));
        Assert.NotEmpty(
            await fixture.Database.QueryAsync<string>(
                "select error from usage_refusals where convert_from(record, 'UTF8') like '%\"b\"%'"));
    }

    [Fact]
    public async Task Too_many_records_are_counted_whatever_they_hold()
    {
        await using var fixture = await StartAsync(postgres);
        foreach (var odd in (string[])["NaN", "{\"id\":Infinity}", $"{new string('[', 100)}{new string(']', 100)}"])
        {
            var body = $"[{odd},{string.Join(',', Enumerable.Repeat("{}", 10_000))}]";
            Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await fixture.PostAsync("usage/litellm", body)).Status);
        }

        var most = $"[{string.Join(',', Enumerable.Repeat("[1,2,\"a,b\"]", 10_000))}]";
        Assert.Equal(HttpStatusCode.OK, (await fixture.PostAsync("usage/litellm", most)).Status);
    }

    [Fact]
    public async Task A_record_that_does_not_say_that_it_succeeded_is_kept_and_not_charged()
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        var silent = Record("silent", ana, 1m);
        silent.Remove("status");
        await fixture.ReportAsync(silent, Record("r", ana, 1m));
        Assert.Equal([1m], await fixture.ChargesAsync(ana));
        Assert.Equal(["The field status is missing."], await fixture.Database.QueryAsync<string>("select error from usage_refusals"));
    }

    [Fact]
    public async Task A_record_whose_field_has_half_a_character_as_its_name_is_refused_alone()
    {
        await using var fixture = await StartAsync(postgres);
        var ana = await fixture.AddUserAsync("ana");
        var bad = $"{Text("bad", ana)[..^1]},\"\\ud800\":1}}";
        Assert.Equal(HttpStatusCode.OK, (await fixture.PostAsync("usage/litellm", $"[{bad},{Text("r", ana)}]")).Status);
        await fixture.ProcessedAsync();
        Assert.Equal([0.25m], await fixture.ChargesAsync(ana));
        Assert.StartsWith(
            "The name of a field", Assert.Single(await fixture.Database.QueryAsync<string>("select error from usage_refusals")),
            StringComparison.Ordinal);
    }

    private static string Text(string id, string user) => Record(id, user, 0.25m).ToJsonString();

    private static string Deep(string id, string user, int depth)
    {
        var (opened, closed) = (Enumerable.Repeat("{\"a\":[", depth / 2), Enumerable.Repeat("]}", depth / 2));
        return Text(id, user).Replace(Cost, $"{Cost},\"deep\":{string.Concat(opened)}1{string.Concat(closed)}", StringComparison.Ordinal);
    }
}
