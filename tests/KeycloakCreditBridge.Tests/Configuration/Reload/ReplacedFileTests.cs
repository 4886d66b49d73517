using System.Diagnostics;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Tests.Configuration.Reload;

/// <summary>The ways in which editors and platforms replace a settings' file.</summary>
public sealed class ReplacedFileTests
{
    private const string Before = """{ "Provisioning": { "Amount": 1 } }""";
    private const string After = """{ "Provisioning": { "Amount": 2 } }""";

    [Fact]
    public void A_file_that_an_editor_writes_in_two_steps_is_used_when_it_is_whole()
    {
        using var fixture = ReloadFixture.Start(Before);
        fixture.Write("");
        fixture.Read();
        fixture.Write(After[..20]);
        fixture.Read();
        fixture.Write(After);
        fixture.Read();
        Assert.Equal(1m, fixture.Get<ProvisioningOptions>().Amount);
        fixture.Read();
        Assert.Equal(2m, fixture.Get<ProvisioningOptions>().Amount);
        Assert.Null(fixture.Status.Problem);
        Assert.Equal(0, fixture.Lines(795));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{ \"Provisioning\": { \"Amou")]
    [InlineData("[]")]
    public void A_file_that_stays_half_written_changes_nothing(string half)
    {
        using var fixture = ReloadFixture.Start(Before);
        fixture.Write(half);
        fixture.ReadWritten();
        Assert.Equal(1m, fixture.Get<ProvisioningOptions>().Amount);
        Assert.StartsWith($"The settings' file {fixture.File} cannot be read: ", fixture.Status.Problem, StringComparison.Ordinal);

        fixture.Write(Before);
        fixture.ReadWritten();
        Assert.Null(fixture.Status.Problem);
    }

    [Fact]
    public void A_file_that_vanishes_changes_nothing_until_it_is_back()
    {
        using var fixture = ReloadFixture.Start(Before);
        File.Delete(fixture.File);
        fixture.ReadWritten();
        Assert.Equal(1m, fixture.Get<ProvisioningOptions>().Amount);
        Assert.Equal(
            $"{fixture.File} is not there any more: put it back, or restart the bridge without it.", fixture.Status.Problem);

        fixture.Write(After);
        fixture.ReadWritten();
        Assert.Equal(2m, fixture.Get<ProvisioningOptions>().Amount);
        Assert.Null(fixture.Status.Problem);
    }

    [Fact]
    public void A_file_that_appears_is_used()
    {
        using var fixture = ReloadFixture.Start(text: null);
        fixture.Write(After);
        fixture.ReadWritten();
        Assert.Equal(2m, fixture.Get<ProvisioningOptions>().Amount);
    }

    [Fact]
    public void A_file_that_is_replaced_by_rename_is_used()
    {
        using var fixture = ReloadFixture.Start(Before);
        var made = Path.Combine(fixture.Folder, "new.json");
        File.WriteAllText(made, After);
        // The time of the old file, as a copy that keeps times has it.
        File.SetLastWriteTimeUtc(made, File.GetLastWriteTimeUtc(fixture.File));
        File.Move(made, fixture.File, overwrite: true);
        fixture.ReadWritten();
        Assert.Equal(2m, fixture.Get<ProvisioningOptions>().Amount);
    }

    [Fact]
    public async Task A_ConfigMap_that_Kubernetes_replaces_is_used()
    {
        using var fixture = new ReloadFixture();
        var data = Path.Combine(fixture.Folder, "..data");
        Mount("..2026_11_30_01", Before);
        File.CreateSymbolicLink(data, "..2026_11_30_01");
        File.CreateSymbolicLink(fixture.File, Path.Combine("..data", "appsettings.json"));
        fixture.Compose();
        Assert.Equal(1m, fixture.Get<ProvisioningOptions>().Amount);

        Mount("..2026_11_30_02", After);
        File.CreateSymbolicLink(data + "_tmp", "..2026_11_30_02");
        // rename(2), as Kubernetes does: .NET moves what a link names.
        using var rename = Process.Start("mv", ["-T", data + "_tmp", data]);
        await rename.WaitForExitAsync(TestContext.Current.CancellationToken);
        Directory.Delete(Path.Combine(fixture.Folder, "..2026_11_30_01"), recursive: true);
        fixture.ReadWritten();
        Assert.Equal(2m, fixture.Get<ProvisioningOptions>().Amount);

        void Mount(string name, string text) => File.WriteAllText(
            Path.Combine(Directory.CreateDirectory(Path.Combine(fixture.Folder, name)).FullName, "appsettings.json"), text);
    }

    [Fact]
    public void A_file_that_may_not_be_read_changes_nothing()
    {
        using var fixture = ReloadFixture.Start(Before);
        File.Delete(fixture.File);
        Directory.CreateDirectory(fixture.File);
        fixture.ReadWritten();
        Assert.Equal(1m, fixture.Get<ProvisioningOptions>().Amount);
        Assert.NotNull(fixture.Status.Problem);

        Directory.Delete(fixture.File);
        fixture.Write(Before);
        fixture.ReadWritten();
        Assert.Null(fixture.Status.Problem);
    }
}
