using System.Text.Json;
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

    private static readonly TierFromOptions Both = new()
    {
        Groups = [new GroupTierOptions { Path = "/gold", Tier = "starter" }],
            RealmRoles = [new RoleTierOptions { Name = "vip", Tier = "starter" }],
    };

    [Fact]
    public async Task Groups_and_roles_are_asked_for_where_a_tier_follows_them_and_nowhere_else()
    {
        await using var bundle = await StartAsync();
        var all = (await ReadAsync(bundle, Both))!;
        Assert.Equal(["/gold/a", "/other"], all.Groups!);
        Assert.Equal(["vip"], all.RealmRoles!);
        Assert.Equal(["/users/ana", $"{Groups}&first=0&max=1000", Roles], Asked(bundle));
        var none = (await ReadAsync(bundle, new TierFromOptions { Attribute = "plan" }))!;
        Assert.Null(none.Groups ?? none.RealmRoles);
        Assert.Equal("/users/ana", Assert.Single(Asked(bundle).Skip(3)));
    }

    [Fact]
    public async Task A_user_in_very_many_groups_is_read_page_by_page()
    {
        await using var bundle = await StartAsync();
        var page = JsonSerializer.Serialize(Enumerable.Range(0, 1_000).Select(number => new { path = $"/g{number}" }));
        bundle.Server.On(Groups, Says(200, page), Says(200, """[{"path":"/gold"}]"""));
        Assert.Equal(1_001, (await ReadAsync(bundle, Both))!.Groups!.Count);
        Assert.Contains($"{Groups}&first=1000&max=1000", Asked(bundle));
    }

    [Theory]
    [InlineData(Groups)]
    [InlineData(Roles)]
    public async Task A_user_deleted_between_two_requests_counts_as_deleted_and_not_as_without_groups(string question)
    {
        await using var bundle = await StartAsync();
        bundle.Server.On(question, Says(404, NotFound));
        Assert.Null(await ReadAsync(bundle, Both));
    }

    private static async Task<ClientFixture> StartAsync()
    {
        var bundle = await ClientFixture.StartAsync();
        bundle.Server.On("/users/ana", Says(200, User));
        bundle.Server.On(Groups, Says(200, """[{"id":"1","name":"a","path":"/gold/a","subGroups":[]},{"path":"/other"}]"""));
        bundle.Server.On(Roles, Says(200, """[{"id":"1","name":"vip"}]"""));
        return bundle;
    }

    private static Task<Subject?> ReadAsync(ClientFixture bundle, TierFromOptions from) =>
        new SubjectReader(bundle.Client, new GrantPolicy(Options.Create(new ProvisioningOptions { TierFrom = from }))).ReadAsync(
            "shop", "ana", ClientFixture.Cancellation);

    private static IEnumerable<string> Asked(ClientFixture bundle) =>
        bundle.Server.Targets.Select(target => target["/admin/realms/shop".Length..]);
}
