using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Running;

namespace KeycloakCreditBridge.Tests.Contract.Ways.Directories;

/// <summary>OpenLDAP's slapd with an empty directory, started when a test first asks for it.</summary>
public sealed class LdapFixture : IAsyncDisposable
{
    private const string Root = "dc=example,dc=com";
    private const string Admin = $"cn=admin,{Root}";
    private const string Password = "secret";

    private InstanceFolder? _folder;
    private GuardedProcess? _server;

    public Uri Url { get; } = new($"ldap://127.0.0.1:{FreePort.Next()}");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static string UsersOf(string group) => $"ou={group},{Root}";

    /// <summary>Adds a group of users with the password of every user in these tests.</summary>
    public async Task AddAsync(string group, params string[] users)
    {
        await StartAsync();
        await ChangeAsync("ldapadd", [$"dn: {UsersOf(group)}\nobjectClass: organizationalUnit\nou: {group}\n", .. users.Select(name =>
            $"dn: uid={name},{UsersOf(group)}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: Lovelace\ngivenName: Ada\n" +
            $"mail: {name}@example.com\nuserPassword: {ContractFixture.Named(name).Password}\n")]);
    }

    public Task RemoveAsync(string group, string name) =>
        ChangeAsync("ldapmodify", [$"dn: uid={name},{UsersOf(group)}\nchangetype: delete\n"]);

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync();
        _folder?.Dispose();
    }

    private async Task StartAsync()
    {
        if (_server is not null)
            return;
        Assert.SkipUnless(
            Command.Find("slapd") is not null && Command.Find("ldapadd") is not null, "Needs OpenLDAP: install slapd and ldap-utils.");
        _folder = InstanceFolder.Claim(Path.GetTempPath(), "slapd");
        var data = Directory.CreateDirectory(Path.Combine(_folder.Path, "data")).FullName;
        var configuration = Path.Combine(_folder.Path, "slapd.conf");
        await File.WriteAllTextAsync(
            configuration,
            $"""
            include /etc/ldap/schema/core.schema
            include /etc/ldap/schema/cosine.schema
            include /etc/ldap/schema/inetorgperson.schema
            modulepath /usr/lib/ldap
            moduleload back_mdb
            database mdb
            maxsize 10485760
            suffix "{Root}"
            rootdn "{Admin}"
            rootpw {Password}
            directory {data}
            """,
            Token);
        TestNeeds.Demand(TestNeeds.Programs);
        var log = Path.Combine(_folder.Path, "slapd.log");
        _server = GuardedProcess.Start(
            [Command.Find("slapd")!, "-f", configuration, "-h", Url.AbsoluteUri.TrimEnd('/'), "-d", "0"], log, [], new Dictionary<string,
                string>());
        await Eventually.TrueAsync(AnswersAsync, "slapd answers");
        await ChangeAsync("ldapadd", [$"dn: {Root}\nobjectClass: domain\ndc: example\n"]);
    }

    private async Task<bool> AnswersAsync()
    {
        try
        {
            await Command.RunAsync([Command.Find("ldapwhoami")!, .. Identity()], Token);
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    private async Task ChangeAsync(string tool, IEnumerable<string> entries)
    {
        var file = Path.Combine(_folder!.Path, $"{Guid.NewGuid():n}.ldif");
        await File.WriteAllTextAsync(file, string.Join('\n', entries), Token);
        await Command.RunAsync([Command.Find(tool)!, .. Identity(), "-f", file], Token);
    }

    private string[] Identity() => ["-x", "-H", Url.AbsoluteUri.TrimEnd('/'), "-D", Admin, "-w", Password];
}
