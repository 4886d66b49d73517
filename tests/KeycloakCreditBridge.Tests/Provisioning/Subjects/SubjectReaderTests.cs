using System.Text.Json;
using KeycloakCreditBridge.Grants.Policy;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Provisioning.Subjects;
using KeycloakCreditBridge.Tests.Keycloak;
using Microsoft.Extensions.Options;
using static KeycloakCreditBridge.Tests.Keycloak.ScriptedKeycloak;

namespace KeycloakCreditBridge.Tests.Provisioning.Subjects;

public sealed class SubjectReaderTests
{
    private const string User = """{"id":"ana","username":"ana"}""";
    private const string NotFound = """{"error":"User not found"}""";
    private const string Groups = "/users/ana/groups?briefRepresentation=true";
    private const string Roles = "/users/ana/role-mappings/realm/composite";

    private const string Organizations = "/organizations/members/ana/organizations";
    private const string Registrations = "/events?type=REGISTER&user=ana&max=1";

    private static readonly TierFromOptions Both = new()
    {
        Groups = [new GroupTierOptions { Path = "/gold", Tier = "starter" }],
            RealmRoles = [new RoleTierOptions { Name = "vip", Tier = "starter" }],
    };

    [Fact]
    public async Task Groups_and_roles_are_asked_for_where_a_tier_follows_them_and_nowhere_else()
    {
        await using var fixture = await StartAsync();
        var all = (await ReadAsync(fixture, Both))!;
        Assert.Equal(["/gold/a", "/other"], all.Groups!);
        Assert.Equal(["vip"], all.RealmRoles!);
        Assert.Equal(["/users/ana", $"{Groups}&first=0&max=1000", Roles], Asked(fixture));
        var none = (await ReadAsync(fixture, new TierFromOptions { Attribute = "plan" }))!;
        Assert.Null(none.Groups ?? none.RealmRoles);
        Assert.Equal("/users/ana", Assert.Single(Asked(fixture).Skip(3)));
    }

    [Fact]
    public async Task A_user_in_very_many_groups_is_read_page_by_page()
    {
        await using var fixture = await StartAsync();
        var page = JsonSerializer.Serialize(Enumerable.Range(0, 1_000).Select(number => new { path = $"/g{number}" }));
        fixture.Server.On(Groups, Says(200, page), Says(200, """[{"path":"/gold"}]"""));
        Assert.Equal(1_001, (await ReadAsync(fixture, Both))!.Groups!.Count);
        Assert.Contains($"{Groups}&first=1000&max=1000", Asked(fixture));
    }

    [Theory]
    [InlineData(Groups)]
    [InlineData(Roles)]
    public async Task A_user_deleted_between_two_requests_counts_as_deleted_and_not_as_without_groups(string question)
    {
        await using var fixture = await StartAsync();
        fixture.Server.On(question, Says(404, NotFound));
        Assert.Null(await ReadAsync(fixture, Both));
    }

    [Fact]
    public async Task A_registration_and_organisations_are_asked_for_where_a_rule_needs_them()
    {
        await using var fixture = await StartAsync();
        fixture.Server.On(Organizations, Says(200, """[{"id":"1","name":"Acme","alias":"acme"},{"id":"2","name":"old"}]"""));
        fixture.Server.On(Registrations, Says(200, """
            [{"time":1764500000000,"type":"REGISTER","clientId":"app","details":{"redirect_uri":"https://x/?utm_source=letter"}}]
            """));
        var user = (await ReadAsync(fixture))!;
        Assert.Equal(["acme", "old"], user.Organizations!);
        Assert.Equal(("app", "letter", true), (user.Registration!.Client, user.Registration.Attribution!.Source, user.IsReadInFull));
        Assert.Equal(["/users/ana", Organizations, Registrations], Asked(fixture));
    }

    [Fact]
    public async Task What_the_bridge_may_not_read_keeps_no_account_waiting_and_a_realm_without_organisations_has_none()
    {
        await using var fixture = await StartAsync();
        fixture.Server.On(Organizations, Says(404, """{"error":"Organizations not enabled for this realm."}"""));
        fixture.Server.On(Registrations, Says(403, """{"error":"HTTP 403 Forbidden"}"""));
        var user = (await ReadAsync(fixture))!;
        Assert.Equal((0, null, true), (user.Organizations!.Count, user.Registration, user.IsReadInFull));
    }

    private static Task<Subject?> ReadAsync(ClientFixture fixture) => new SubjectReader(fixture.Client, fixture.Events).ReadAsync(
        new GrantPolicy(Options.Create(new ProvisioningOptions())), "shop", "ana", ClientFixture.Cancellation,
        NeededEvidence.Nothing with { Organizations = true, Registration = true });

    private static async Task<ClientFixture> StartAsync()
    {
        var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/users/ana", Says(200, User));
        fixture.Server.On(Groups, Says(200, """[{"id":"1","name":"a","path":"/gold/a","subGroups":[]},{"path":"/other"}]"""));
        fixture.Server.On(Roles, Says(200, """[{"id":"1","name":"vip"}]"""));
        return fixture;
    }

    private static Task<Subject?> ReadAsync(ClientFixture fixture, TierFromOptions from) =>
        new SubjectReader(fixture.Client).ReadAsync(
            new GrantPolicy(Options.Create(new ProvisioningOptions { TierFrom = from })), "shop", "ana", ClientFixture.Cancellation);

    private static IEnumerable<string> Asked(ClientFixture fixture) =>
        fixture.Server.Targets.Select(target => target["/admin/realms/shop".Length..]);
}
